/** What went wrong, read out by a screen reader as soon as it appears. Nothing without a text. */
export function Problem({ text }: { text: string | null | undefined }) {
  if (!text) return null;
  return (
    <p class="error" role="alert">
      {text}
    </p>
  );
}
