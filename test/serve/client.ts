/** Talks to a server under test. */
import http from 'node:http';
import { type RunningServer, type ServeOptions, startServer } from '../../lib/serve/server';

export interface Answer {
  status: number;
  // Tests look at whatever is in it.
  body: any;
  headers: Headers;
}

export class TestServer {
  private constructor(readonly running: RunningServer) {}

  static async start(options: ServeOptions): Promise<TestServer> {
    return new TestServer(
      await startServer({
        port: 0,
        onError: (error) => {
          throw error;
        },
        ...options,
      }),
    );
  }
  get url(): string {
    return `http://127.0.0.1:${this.running.port}/`;
  }
  close(): Promise<void> {
    return this.running.close();
  }

  async get(path: string, headers: Record<string, string> = {}): Promise<Answer> {
    return answerOf(await fetch(this.url + path, { headers }));
  }
  async post(path: string, body: unknown, headers: Record<string, string> = {}): Promise<Answer> {
    const text = typeof body === 'string' ? body : JSON.stringify(body);
    return answerOf(
      await fetch(this.url + path, {
        method: 'POST',
        body: text,
        headers: { 'Content-Type': 'application/json', ...headers },
      }),
    );
  }
  async postForm(path: string, settings: object, files: Record<string, Uint8Array>): Promise<Answer> {
    const form = new FormData();
    form.set('settings', JSON.stringify(settings));
    for (const [name, data] of Object.entries(files)) form.set(name, new Blob([new Uint8Array(data)]), name);
    return answerOf(await fetch(this.url + path, { method: 'POST', body: form }));
  }
  async cancel(id: string): Promise<Answer> {
    return answerOf(await fetch(`${this.url}api/jobs/${id}`, { method: 'DELETE' }));
  }

  /** Follows a job to its end. */
  async events(id: string): Promise<{ event: string; data: any }[]> {
    const text = await (await fetch(`${this.url}api/jobs/${id}/events`)).text();
    return text.split('\n\n').flatMap((block) => {
      const event = /^event: (.*)$/m.exec(block)?.[1];
      const data = /^data: (.*)$/m.exec(block)?.[1];
      return event && data ? [{ event, data: JSON.parse(data) }] : [];
    });
  }
  /** The finished job that an answer has begun. */
  async finish({ status, body }: Answer): Promise<any> {
    if (status !== 202) throw new Error(`${status} ${JSON.stringify(body)}`);
    return (await this.events(body.id)).at(-1)!.data;
  }
  async bytes(path: string): Promise<Buffer> {
    return Buffer.from(await (await fetch(this.url + path)).arrayBuffer());
  }

  /** A request with headers that fetch does not allow to set. */
  raw(path: string, headers: http.OutgoingHttpHeaders): Promise<number> {
    return new Promise((resolve, reject) => {
      const options = { port: this.running.port, host: '127.0.0.1', path, headers };
      http
        .get(options, (response) => {
          response.resume();
          resolve(response.statusCode!);
        })
        .on('error', reject);
    });
  }
}

async function answerOf(response: Response): Promise<Answer> {
  const text = await response.text();
  const isJson = response.headers.get('content-type')?.startsWith('application/json');
  return { status: response.status, body: isJson ? JSON.parse(text) : text, headers: response.headers };
}
