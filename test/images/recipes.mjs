// The images of the tests, made of Debian packages since no image registry may be reachable. A recipe is
// plain data: its hash names the cached archive, and is the label by which an engine is found to have it.

const PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

export const recipes = [
  {
    name: 'busybox',
    reference: 'nanoclaw-test/busybox:1',
    kind: 'busybox',
    revision: 1,
    changes: [`ENV PATH=${PATH}`, 'CMD ["/bin/sh"]'],
  },
  {
    name: 'python',
    reference: 'nanoclaw-test/python:3.11',
    kind: 'debian',
    revision: 1,
    suite: 'bookworm',
    // The testsuite is CPython's own regression tests, which run in a sandbox as a real program.
    packages: ['bash', 'ca-certificates', 'python3', 'libpython3.11-testsuite', 'libsqlite3-0'],
    // Documentation is a quarter of the archive, and nobody reads it in there.
    excludedPaths: ['/usr/share/doc/*', '/usr/share/man/*', '/usr/share/info/*', '/usr/share/locale/*'],
    changes: [`ENV PATH=${PATH}`, 'ENV LANG=C.UTF-8', 'CMD ["python3"]'],
  },
];

/** The label with the recipe's hash that every test image carries. */
export const RECIPE_LABEL = 'nanoclaw.test.recipe';
