// Words that scripts say, in the page's language: asked for once, when first needed.
export interface Words {
  terms: Record<string, [name: string, means: string]>;
  more: string;
  map: Record<string, string>;
}

let asked: Promise<Words> | undefined;

export function words(): Promise<Words> {
  const nothing: Words = { terms: {}, more: "", map: {} };
  asked ??= fetch(document.body.dataset.words ?? "").then((answer) => (answer.ok ? (answer.json() as Promise<Words>) : nothing), () => nothing);
  return asked;
}
