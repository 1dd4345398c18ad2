export { type DockerConnectOptions, type DockerEndpoint, resolveDockerEndpoint } from './docker-connect.ts';
export { createDockerRuntime, type DockerRuntimeOptions } from './docker-runtime.ts';
