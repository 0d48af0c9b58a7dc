/** The layout of the model files in this folder: that of botocore's `service-2.json`, without any prose. */
export interface ModelFile {
  metadata: { targetPrefix: string; endpointPrefix: string; [key: string]: unknown };
  operations: Record<string, ModelOperation>;
  shapes: Record<string, ModelShape>;
}

export interface ModelOperation {
  name: string;
  http: { method: string; requestUri: string };
  input?: { shape: string };
  output?: { shape: string };
  errors?: { shape: string }[];
}

export interface ModelShape {
  type: 'structure' | 'list' | 'map' | 'string' | 'integer' | 'long' | 'blob' | 'timestamp' | 'boolean';
  members?: Record<string, { shape: string }>;
  required?: string[];
  member?: { shape: string };
  key?: { shape: string };
  value?: { shape: string };
  min?: number;
  max?: number;
  pattern?: string;
  enum?: string[];
  exception?: boolean;
  fault?: boolean;
  eventstream?: boolean;
  event?: boolean;
}
