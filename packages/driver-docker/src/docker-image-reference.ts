/** Docker Hub, under the key that Docker keeps its credentials by. */
const dockerHub = 'https://index.docker.io/v1/';

/** `repo` and `tag` as the engine wants them apart; a digest counts as a tag. */
export function splitReference(reference: string): { readonly repo: string; readonly tag: string } {
  const at = reference.indexOf('@');
  if (at >= 0) return { repo: reference.slice(0, at), tag: reference.slice(at + 1) };
  const colon = reference.lastIndexOf(':');
  // Without a tag every tag of the repository would be pulled.
  return colon > reference.lastIndexOf('/')
    ? { repo: reference.slice(0, colon), tag: reference.slice(colon + 1) }
    : { repo: reference, tag: 'latest' };
}

/** The registry that a reference names, under the key that Docker keeps its credentials by. */
export function registryOf(reference: string): string {
  const slash = reference.indexOf('/');
  const first = slash < 0 ? '' : reference.slice(0, slash);
  // The rule of every Docker reference: without a dot, a port or `localhost` it is a user of Docker Hub.
  if (!/[.:]/.test(first) && first !== 'localhost') return dockerHub;
  return first === 'docker.io' || first === 'index.docker.io' ? dockerHub : first;
}
