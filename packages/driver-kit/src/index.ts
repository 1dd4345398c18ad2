export {
  createDemultiplexer,
  type Demultiplexer,
  type DemultiplexerSink,
  maxFramePayloadBytes,
} from './demultiplexer.ts';
export { createDiagnosticsTail, type DiagnosticsTail, escapeControlCharacters } from './diagnostics-tail.ts';
export { createReadOnlyFileCache, type ReadOnlyFileCache, type ReadOnlyFileCacheOptions } from './read-only-files.ts';
export { createStdioChannel, type StdioChannelOptions } from './stdio-channel.ts';
