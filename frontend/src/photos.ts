// Shows the chosen pictures before they are sent, and makes those smaller that the server would refuse.
import { onContent } from "./live";

const LONGEST_SIDE = 2048;
const LARGEST = 9_500_000; // bytes; the server takes 10 MiB

// A picture made smaller here loses its EXIF, and with it when and where it was taken: only what must be is shrunk.
async function smaller(file: File): Promise<File> {
  if (file.size < LARGEST || !["image/jpeg", "image/png", "image/webp"].includes(file.type)) return file;
  const picture = await createImageBitmap(file);
  const scale = Math.min(1, LONGEST_SIDE / Math.max(picture.width, picture.height));
  const canvas = new OffscreenCanvas(Math.round(picture.width * scale), Math.round(picture.height * scale));
  canvas.getContext("2d")?.drawImage(picture, 0, 0, canvas.width, canvas.height);
  const blob = await canvas.convertToBlob({ type: "image/jpeg", quality: 0.85 });
  return blob.size < file.size ? new File([blob], file.name.replace(/\.\w+$/, ".jpg"), { type: "image/jpeg" }) : file;
}

async function show(input: HTMLInputElement): Promise<void> {
  const files = [...(input.files ?? [])];
  if (input.dataset.shrink !== undefined && files.length > 0) {
    const transfer = new DataTransfer();
    for (const file of files) transfer.items.add(await smaller(file).catch(() => file));
    input.files = transfer.files;
  }
  const list = input.parentElement?.querySelector<HTMLElement>("[data-previews]");
  if (!list) return;
  list.replaceChildren(...[...(input.files ?? [])].map(preview));
}

function preview(file: File): HTMLElement {
  const figure = document.createElement("figure");
  const caption = document.createElement("figcaption");
  caption.textContent = `${file.name} · ${Math.max(1, Math.round(file.size / 1024))} KB`;
  if (file.type.startsWith("image/")) {
    const image = document.createElement("img");
    image.src = URL.createObjectURL(file);
    image.alt = "";
    image.addEventListener("load", () => URL.revokeObjectURL(image.src));
    figure.append(image);
  }
  figure.append(caption);
  return figure;
}

export function startPhotos(): void {
  onContent((root) => {
    for (const input of root.querySelectorAll<HTMLInputElement>("input[type=file][data-photos]")) {
      input.addEventListener("change", () => void show(input));
    }
  });
}
