// Engines that a test may kill: typed doors to test/host, which is plain JavaScript so that it runs on any Node.

export interface ThrowAwayEngine {
  /** `unix://…` */
  readonly host: string;
  readonly pid: number;
  /** Sends a signal to dockerd. After SIGKILL or SIGTERM it resolves once it has ended. */
  kill(signal: NodeJS.Signals): Promise<void>;
  /** Starts dockerd again on the same data. */
  restart(): Promise<void>;
  stop(): Promise<void>;
}

interface DockerHostModule {
  startDockerd(options: {
    dir?: string;
    config?: Record<string, unknown>;
    ownMountNamespace?: boolean;
    hide?: string[];
  }): Promise<ThrowAwayEngine>;
  loadTestImages(host: string): Promise<unknown>;
}

const location = new URL('../host/docker.mjs', import.meta.url).href;
const hostModule = (await import(location)) as DockerHostModule;

export const { startDockerd, loadTestImages } = hostModule;
