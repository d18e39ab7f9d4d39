/** The arrows of the house run one way: bin -> cli, cloud, local -> core; lambdas -> core. */
const room = (name) => `^${name}/`;
const only = (name, from, to) => ({
  name,
  severity: 'error',
  from: { path: from },
  to: { path: ['^bin/', '^lib/', '^lambdas/', '^test/'], pathNot: to },
});

module.exports = {
  forbidden: [
    { name: 'no-circles', severity: 'error', from: {}, to: { circular: true } },
    {
      name: 'nothing-unresolved',
      severity: 'error',
      from: {},
      to: { couldNotResolve: true, pathNot: '^aws-lambda$' },
    },
    only('core-knows-only-itself', room('lib/core'), ['^lib/core/']),
    {
      name: 'core-takes-zod-and-data-only',
      comment: 'lib/core is pure: no AWS clients, no CDK, no files, no clocks.',
      severity: 'error',
      from: { path: room('lib/core') },
      to: { dependencyTypesNot: ['local'], pathNot: ['node_modules/zod/'] },
    },
    only('setup-knows-only-itself', room('lib/setup'), ['^lib/setup/']),
    only('inspection-knows-core', room('lib/inspection'), ['^lib/core/', '^lib/inspection/']),
    only('cloud-knows-core', room('lib/cloud'), ['^lib/core/', '^lib/cloud/']),
    only('local-knows-core', room('lib/local'), ['^lib/core/', '^lib/local/']),
    only('lambdas-know-core', room('lambdas'), ['^lib/core/', '^lib/inspection/', '^lambdas/']),
    only('cli-knows-local-and-core', room('lib/cli'), [
      '^lib/core/',
      '^lib/inspection/',
      '^lib/local/',
      '^lib/cli/',
    ]),
    {
      name: 'a-lambda-knows-no-other',
      severity: 'error',
      from: { path: '^lambdas/([^/]+)/' },
      to: { path: '^lambdas/([^/]+)/', pathNot: ['^lambdas/$1/', '^lambdas/shared/'] },
    },
    {
      name: 'nobody-imports-doors-or-tests',
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
