/** Imports run one way: bin -> cli, cloud, local -> aws -> core; lambdas -> aws -> core. */
const folder = (name) => `^${name}/`;
const only = (name, from, to) => ({
  name,
  severity: 'error',
  from: { path: from },
  to: { path: ['^bin/', '^lib/', '^lambdas/', '^test/'], pathNot: to },
});

module.exports = {
  forbidden: [
    { name: 'no-cycles', severity: 'error', from: {}, to: { circular: true } },
    {
      name: 'nothing-unresolved',
      severity: 'error',
      from: {},
      to: { couldNotResolve: true, pathNot: '^aws-lambda$' },
    },
    only('core-imports-only-itself', folder('lib/core'), ['^lib/core/']),
    {
      name: 'core-takes-zod-and-data-only',
      comment:
        'lib/core is pure: no AWS clients, no CDK, no files, no clocks. @noble/hashes is SHA-256 without node:crypto.',
      severity: 'error',
      from: { path: folder('lib/core') },
      to: { dependencyTypesNot: ['local'], pathNot: ['node_modules/zod/', 'node_modules/@noble/hashes/'] },
    },
    only('aws-imports-core', folder('lib/aws'), ['^lib/core/', '^lib/aws/']),
    {
      name: 'aws-clients-only-in-aws-and-local',
      comment: 'lib/aws is the one place that calls AWS; lib/local serves and deploys the local cloud.',
      severity: 'error',
      from: { path: ['^bin/', '^lib/', '^lambdas/'], pathNot: ['^lib/aws/', '^lib/local/'] },
      to: { path: ['node_modules/@aws-sdk/', '^@aws-sdk/', 'node_modules/@smithy/'] },
    },
    only('setup-imports-only-itself', folder('lib/setup'), ['^lib/setup/']),
    only('inspection-imports-core', folder('lib/inspection'), ['^lib/core/', '^lib/inspection/']),
    only('cloud-imports-core', folder('lib/cloud'), ['^lib/core/', '^lib/cloud/']),
    only('local-imports-aws-and-core', folder('lib/local'), [
      '^lib/core/',
      '^lib/aws/',
      '^lib/local/',
      '^lib/setup/process-lock\\.mjs$',
    ]),
    only('lambdas-import-aws-and-core', folder('lambdas'), [
      '^lib/core/',
      '^lib/aws/',
      '^lib/inspection/',
      '^lambdas/',
    ]),
    only('cli-imports-local-aws-and-core', folder('lib/cli'), [
      '^lib/core/',
      '^lib/aws/',
      '^lib/inspection/',
      '^lib/local/',
      '^lib/cli/',
    ]),
    {
      name: 'a-lambda-imports-no-other',
      severity: 'error',
      from: { path: '^lambdas/([^/]+)/' },
      to: { path: '^lambdas/([^/]+)/', pathNot: ['^lambdas/$1/', '^lambdas/shared/'] },
    },
    {
      name: 'nobody-imports-entry-points-or-tests',
      severity: 'error',
      from: { path: ['^lib/', '^lambdas/'] },
      to: { path: ['^bin/', '^test/'] },
    },
  ],
  options: {
    parser: 'swc',
    doNotFollow: { path: 'node_modules' },
    exclude: { path: ['^lib/cloud/assets'] },
    tsPreCompilationDeps: true,
    enhancedResolveOptions: {
      extensions: ['.ts', '.mjs', '.js', '.json'],
      conditionNames: ['import', 'node', 'default'],
    },
    builtInModules: {
      override: require('node:module').builtinModules.flatMap((name) => [name, `node:${name}`]),
    },
  },
};
