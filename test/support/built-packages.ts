/**
 * Arguments for a Node of its own that runs a TypeScript test program against the built packages. Node strips the types; the
 * workspace's links lead to the packages' `dist`.
 */
export function builtPackages(): readonly string[] {
  return ['--disable-warning=ExperimentalWarning'];
}
