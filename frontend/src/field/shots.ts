// Photos taken one after the other: each joins those before it; others come from the album, and all can be taken away again.
const MOST = 6; // as src/chengshu/web/uploads.py

const before = new WeakMap<HTMLInputElement, File[]>();

function join(input: HTMLInputElement): void {
  const fresh = [...(input.files ?? [])];
  const old = fresh.length ? (before.get(input) ?? []) : []; // emptied on purpose
  const known = (file: File): string => `${file.name} ${file.size} ${file.lastModified}`;
  const names = new Set(fresh.map(known));
  put(input, [...old.filter((file) => !names.has(known(file))), ...fresh].slice(-MOST));
}

function put(input: HTMLInputElement, files: File[]): void {
  const transfer = new DataTransfer();
  files.forEach((file) => transfer.items.add(file));
  input.files = transfer.files;
  before.set(input, files);
  const none = input.form?.querySelector<HTMLElement>("[data-no-photos]");
  if (none) none.hidden = files.length === 0;
}

function fromAlbum(input: HTMLInputElement): void {
  const { capture } = input;
  input.removeAttribute("capture");
  input.click();
  window.setTimeout(() => (input.capture = capture), 500);
}

export function startShots(): void {
  for (const input of document.querySelectorAll<HTMLInputElement>("form[data-act] input[type=file]")) {
    // In the capture phase, so that what shows and shrinks the pictures finds all of them.
    input.form?.addEventListener("change", (event) => event.target === input && join(input), { capture: true });
    input.form?.addEventListener("reset", () => put(input, []));
    input.form?.querySelector("[data-album]")?.addEventListener("click", () => fromAlbum(input));
    input.form?.querySelector("[data-no-photos]")?.addEventListener("click", () => {
      put(input, []);
      input.dispatchEvent(new Event("change"));
    });
  }
}
