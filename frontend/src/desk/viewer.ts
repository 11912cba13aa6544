// Evidence in full size: next and previous, turned, larger, with where and when it was taken.
const LARGEST = 3;

export function startViewer(): void {
  const dialog = document.querySelector<HTMLDialogElement>("#viewer");
  const links = [...document.querySelectorAll<HTMLAnchorElement>("a[data-picture]")];
  if (!dialog || links.length === 0) return;
  const pictures = [...new Map(links.map((link) => [link.href, link])).values()];
  const shown = dialog.querySelector<HTMLImageElement>("[data-shown]")!;
  const frame = dialog.querySelector<HTMLElement>(".frame")!;
  let at = 0;
  let turned = 0;
  let large = 0;

  const paint = (): void => {
    shown.className = turned ? `is-turned-${turned}` : "";
    frame.className = large ? `frame is-large-${large}` : "frame";
  };
  const show = (index: number): void => {
    at = (index + pictures.length) % pictures.length;
    [turned, large] = [0, 0];
    const link = pictures[at]!;
    shown.src = link.href;
    shown.alt = link.dataset.about ?? "";
    dialog.querySelector("[data-about]")!.textContent = `${at + 1}/${pictures.length} · ${link.dataset.about ?? ""}`;
    dialog.querySelector<HTMLAnchorElement>("[data-do=save]")!.href = link.href;
    const where = dialog.querySelector<HTMLElement>("[data-where]")!;
    const { lon, lat } = link.dataset;
    where.textContent = lon && lat ? (where.dataset.words ?? "").replace("{place}", `${Number(lon).toFixed(5)}, ${Number(lat).toFixed(5)}`) : "";
    for (const side of dialog.querySelectorAll<HTMLElement>(".side")) side.hidden = pictures.length < 2;
    paint();
  };
  const acts: Record<string, () => void> = {
    before: () => show(at - 1),
    after: () => show(at + 1),
    turn: () => { turned = (turned + 1) % 4; paint(); },
    larger: () => { large = Math.min(large + 1, LARGEST); paint(); },
    smaller: () => { large = Math.max(large - 1, 0); paint(); },
    close: () => dialog.close(),
  };
  const keys: Record<string, string> = {
    ArrowLeft: "before", k: "before", ArrowRight: "after", j: "after", r: "turn", "+": "larger", "=": "larger", "-": "smaller",
  };

  for (const link of links) {
    link.addEventListener("click", (event) => {
      if (event.ctrlKey || event.metaKey || event.shiftKey) return;
      event.preventDefault();
      show(pictures.findIndex((other) => other.href === link.href));
      dialog.showModal();
    });
  }
  dialog.addEventListener("click", (event) => {
    const act = (event.target as HTMLElement).closest<HTMLElement>("button[data-do]")?.dataset.do;
    if (act) acts[act]?.();
  });
  dialog.addEventListener("keydown", (event) => {
    const act = keys[event.key];
    if (!act) return;
    event.preventDefault();
    event.stopPropagation();
    acts[act]?.();
  });
}
