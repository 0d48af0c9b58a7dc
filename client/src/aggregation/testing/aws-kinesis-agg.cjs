// Amazon's own library for JavaScript, in a process of its own, since its dependencies do not load under the test runner's conditions.
// Standard input: {"aggregate": records} or {"deaggregate": base64}, data in base64; standard output: base64, or records.
const { readFileSync } = require('node:fs');
const library = require('aws-kinesis-agg');

const fail = (error) => {
  throw error;
};
const input = JSON.parse(readFileSync(0, 'utf8'));
if (input.aggregate !== undefined) {
  const records = input.aggregate.map((record) => ({ ...record, data: Buffer.from(record.data, 'base64') }));
  const onAggregate = ({ data }, done) => {
    console.log(JSON.stringify(data.toString('base64')));
    done();
  };
  library.aggregate(records, onAggregate, () => undefined, fail);
} else {
  library.deaggregateSync(
    { data: input.deaggregate, partitionKey: 'a', sequenceNumber: '1' },
    true,
    (error, records) => {
      if (error) fail(error);
      console.log(
        JSON.stringify(
          records.map(({ partitionKey, explicitPartitionKey: explicitHashKey, data }) => ({
            partitionKey,
            explicitHashKey,
            data,
          })),
        ),
      );
    },
  );
}
