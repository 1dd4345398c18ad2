export { createDemultiplexer, maxFramePayloadBytes, type Demultiplexer, type DemultiplexerSink } from './demultiplexer.ts';
export { createDiagnosticsTail, escapeControlCharacters, type DiagnosticsTail } from './diagnostics-tail.ts';
export { createReadOnlyFileCache, type ReadOnlyFileCache, type ReadOnlyFileCacheOptions } from './read-only-files.ts';
export { createStdioChannel, type StdioChannelOptions } from './stdio-channel.ts';
