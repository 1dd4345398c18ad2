// The few HTTP requests to a container engine that the scripts need, without any dependency: enough to
// ask whether somebody answers, and to import an image. Product code has a driver for everything else.
import http from 'node:http';

/** `unix:///path` or `tcp://host:port` as options of `http.request`; undefined for anything else. */
export function toRequestOptions(host) {
  if (host.startsWith('unix://')) return { socketPath: host.slice('unix://'.length) };
  const match = /^(?:tcp|http):\/\/(\[[^\]]+\]|[^/:]+):(\d+)\/?$/.exec(host);
  return match ? { host: match[1].replace(/^\[|\]$/g, ''), port: Number(match[2]) } : undefined;
}

/**
 * One request; resolves to `{ status, body }` with the whole body as text. A readable stream as `body`
 * is sent chunked. Rejects with the socket's own error (`ENOENT`, `EACCES`, `ECONNREFUSED` …), and with
 * `ETIMEDOUT` when nothing comes for `timeoutMs`.
 */
export function engineRequest(host, { method = 'GET', path, headers = {}, body, timeoutMs = 10_000 }) {
  const target = toRequestOptions(host);
  if (!target) return Promise.reject(new Error(`'${host}' is neither unix:// nor tcp://`));
  return new Promise((resolve, reject) => {
    const request = http.request({ ...target, method, path, headers, agent: false }, (response) => {
      let text = '';
      response.setEncoding('utf8');
      response.on('data', (chunk) => {
        text += chunk;
      });
      response.on('end', () => resolve({ status: response.statusCode, body: text }));
      response.on('error', reject);
    });
    request.setTimeout(timeoutMs, () => {
      request.destroy(Object.assign(new Error(`no answer for ${timeoutMs} ms`), { code: 'ETIMEDOUT' }));
    });
    request.on('error', reject);
    if (body && typeof body.pipe === 'function') {
      body.on('error', (error) => request.destroy(error));
      body.pipe(request);
    } else {
      request.end(body);
    }
  });
}

/** The engine's `/version` answer, or an error that says why there is none. */
export async function engineVersion(host, { timeoutMs = 5_000 } = {}) {
  const { status, body } = await engineRequest(host, { path: '/version', timeoutMs });
  if (status !== 200) throw new Error(`${host} answered ${status}: ${body.slice(0, 200)}`);
  return JSON.parse(body);
}
