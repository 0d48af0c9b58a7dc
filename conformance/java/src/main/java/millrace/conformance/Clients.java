package millrace.conformance;

import java.net.URI;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.KeyStore;
import java.security.cert.CertificateFactory;
import javax.net.ssl.TrustManagerFactory;
import software.amazon.awssdk.http.TlsTrustManagersProvider;
import software.amazon.awssdk.http.nio.netty.NettyNioAsyncHttpClient;
import software.amazon.awssdk.http.urlconnection.UrlConnectionHttpClient;
import software.amazon.awssdk.services.kinesis.KinesisAsyncClient;
import software.amazon.awssdk.services.kinesis.KinesisClient;

/** Both clients with default settings, so CBOR; the asynchronous one speaks HTTP/2. Region and credentials come from the environment. */
record Clients(KinesisClient sync, KinesisAsyncClient async) implements AutoCloseable {
  static Clients open(String endpoint, String certificateFile) throws Exception {
    UrlConnectionHttpClient.Builder http = UrlConnectionHttpClient.builder();
    NettyNioAsyncHttpClient.Builder netty = NettyNioAsyncHttpClient.builder();
    if (!certificateFile.equals("-")) {
      TlsTrustManagersProvider trust = trustOf(Path.of(certificateFile));
      http.tlsTrustManagersProvider(trust);
      netty.tlsTrustManagersProvider(trust);
    }
    URI uri = URI.create(endpoint);
    return new Clients(
        KinesisClient.builder().endpointOverride(uri).httpClientBuilder(http).build(),
        KinesisAsyncClient.builder().endpointOverride(uri).httpClientBuilder(netty).build());
  }

  @Override
  public void close() {
    sync.close();
    async.close();
  }

  private static TlsTrustManagersProvider trustOf(Path certificate) throws Exception {
    KeyStore store = KeyStore.getInstance(KeyStore.getDefaultType());
    store.load(null, null);
    try (var input = Files.newInputStream(certificate)) {
      store.setCertificateEntry("endpoint", CertificateFactory.getInstance("X.509").generateCertificate(input));
    }
    TrustManagerFactory factory = TrustManagerFactory.getInstance(TrustManagerFactory.getDefaultAlgorithm());
    factory.init(store);
    return factory::getTrustManagers;
  }
}
