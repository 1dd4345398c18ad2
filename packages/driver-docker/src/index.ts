export { createDockerRuntime, type DockerRuntimeOptions } from './docker-runtime.ts';
export { resolveDockerEndpoint, type DockerConnectOptions, type DockerEndpoint } from './docker-connect.ts';
