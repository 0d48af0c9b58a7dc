import { defineConfig } from 'vitest/config';

const sources = {
  resolve: { conditions: ['millrace-source'] },
  ssr: { resolve: { conditions: ['millrace-source', 'node', 'import', 'default'] } },
};

export default defineConfig({
  ...sources,
  test: {
    reporters: ['./tools/plain-reporter.ts'],
    projects: [
      {
        ...sources,
        test: {
          name: 'unit',
          include: ['{platform,client,testing,tools}/**/*.test.ts'],
          exclude: ['**/dist/**', '**/node_modules/**', 'platform/test/**'],
          pool: 'forks',
          isolate: false,
          // For busy machines; none takes more than some seconds on a quiet one.
          testTimeout: 60_000,
        },
      },
      {
        ...sources,
        test: {
          name: 'server',
          include: ['platform/test/**/*.test.ts'],
          pool: 'forks',
          isolate: true,
          testTimeout: 60_000,
          hookTimeout: 60_000,
        },
      },
    ],
  },
});
