/** Where an image comes from. */
export type ImageSource =
  /** A reference that is used when present and pulled when not. */
  | { readonly kind: 'reference'; readonly reference: string; readonly pull: 'missing' | 'always' | 'never' }
  /** A tar archive as `docker save` or an OCI layout export writes it. */
  | { readonly kind: 'archive'; readonly path: string }
  /** A Dockerfile and its context directory. The same `key` builds once. */
  | {
      readonly kind: 'build';
      readonly contextDir: string;
      /** Path of the Dockerfile relative to the context. */
      readonly dockerfile: string;
      readonly buildArgs: Readonly<Record<string, string>>;
      readonly labels: Readonly<Record<string, string>>;
      /** Tag to give, a full reference. */
      readonly tag: string;
      /** Content key; an image that carries it is reused instead of built. */
      readonly key: string;
      /** `none` builds without network. */
      readonly network: 'default' | 'none' | 'host';
    };

/** The image's own configuration. None of it is trusted; core decides what becomes of it. */
export interface ImageConfig {
  readonly env: readonly string[];
  readonly volumes: readonly string[];
  readonly user: string;
  readonly workdir: string;
  readonly entrypoint: readonly string[];
  readonly command: readonly string[];
  readonly hasHealthcheck: boolean;
  readonly labels: Readonly<Record<string, string>>;
}

/** An image that is present on the engine. */
export interface ImageInfo {
  /** The reference that was asked for, or the tag given. */
  readonly reference: string;
  /** What containers are started from, so that a moved tag changes nothing: `sha256:…`. */
  readonly digest: string;
  readonly platform: { readonly os: string; readonly architecture: string };
  readonly config: ImageConfig;
  readonly sizeBytes: number;
}

/** One step of a pull, load or build. `total` is 0 where it isn't known. */
export interface ImageProgress {
  readonly phase: 'pull' | 'load' | 'build';
  /** One line for people, without control characters. */
  readonly message: string;
  readonly completedBytes: number;
  readonly totalBytes: number;
}
