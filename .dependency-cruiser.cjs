// Think hard before changing: a new arrow needs an ADR of ten lines (docs/adr).
const below = {
  kernel: [],
  model: ['kernel'],
  log: ['kernel'],
  protocol: ['model', 'kernel'],
  catalog: ['log', 'model', 'kernel'],
};
const services = ['streams', 'firehose', 'analytics', 'video', 'functions', 'monitoring', 'companions'];
for (const service of services) below[service] = ['catalog', 'log', 'model', 'kernel'];

/** @type {import('dependency-cruiser').IConfiguration} */
module.exports = {
  forbidden: [
    { name: 'no-circular', severity: 'error', from: {}, to: { circular: true } },
    {
      name: 'not-declared',
      severity: 'error',
      from: { path: '(^|/)(platform|client)/src', pathNot: '[.]test[.]ts$|/testing/' },
      to: { dependencyTypes: ['npm-no-pkg', 'npm-unknown', 'unknown', 'undetermined'] },
    },
    {
      name: 'not-dev-dep',
      severity: 'error',
      from: { path: '(^|/)(platform|client)/src', pathNot: '[.]test[.]ts$|/testing/' },
      // A peer dependency is a development dependency too, for the tests.
      to: { dependencyTypes: ['npm-dev'], dependencyTypesNot: ['npm-peer'] },
    },
    { name: 'not-resolvable', severity: 'error', from: {}, to: { couldNotResolve: true } },
    {
      name: 'no-testing-in-product',
      severity: 'error',
      from: { path: '(^|/)(platform|client)/src', pathNot: '[.]test[.]ts$' },
      to: { path: '^(testing|bench|conformance|examples|tools)/|[.]test[.]ts$' },
    },
    {
      name: 'apart-meet-over-the-wire',
      severity: 'error',
      from: { path: '^(bench|conformance|examples)/' },
      to: { path: '^platform/src/' },
    },
    {
      name: 'client-stands-alone',
      severity: 'error',
      from: { path: '^client/src/' },
      to: { path: '^(platform|testing|bench|conformance|examples|tools)/' },
    },
    ...Object.entries(below).map(([folder, allowed]) => ({
      name: `layer-${folder}`,
      severity: 'error',
      from: { path: `(^|/)platform/src/${folder}/`, pathNot: '[.]test[.]ts$' },
      to: { path: '(^|/)platform/src/', pathNot: `(^|/)platform/src/(${[folder, ...allowed].join('|')})/` },
    })),
  ],
  options: {
    parser: 'swc',
    doNotFollow: { path: 'node_modules' },
    exclude: { path: '/dist/' },
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['millrace-source', 'types', 'import', 'node', 'default'],
    },
  },
};
