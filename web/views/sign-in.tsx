/** Asks for the server's token. */
import { useState } from 'preact/hooks';
import { type ApiError, request } from '../api';
import { Problem } from '../parts/problem';

export function SignIn({ onDone }: { onDone: () => void }) {
  const [token, setToken] = useState('');
  const [problem, setProblem] = useState<string | null>(null);
  const send = async () => {
    try {
      const body = JSON.stringify({ token });
      await request('api/session', { method: 'POST', body, headers: { 'Content-Type': 'application/json' } });
      onDone();
    } catch (error) {
      setProblem((error as ApiError).message);
    }
  };
  return (
    <main class="sign-in">
      <form
        class="panel"
        onSubmit={(event) => {
          event.preventDefault();
          void send();
        }}
      >
        <h1>node-ldm</h1>
        <p>This server is protected. Its owner has given you a token.</p>
        <div class="field">
          <label for="token">Token</label>
          <input
            id="token"
            type="password"
            autoComplete="current-password"
            value={token}
            onInput={(event) => setToken(event.currentTarget.value)}
          />
        </div>
        <Problem text={problem} />
        <button type="submit" class="primary wide" disabled={token === ''}>
          Enter
        </button>
      </form>
    </main>
  );
}
