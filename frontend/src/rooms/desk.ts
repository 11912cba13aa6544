// The desk: everything by keyboard, lists that say what is new, pictures in full, and notes that are not lost.
import "../styles/desk.css";
import { startDrafts } from "../desk/drafts";
import { startList } from "../desk/list";
import { startPalette } from "../desk/palette";
import { startTelephone } from "../desk/telephone";
import { startViewer } from "../desk/viewer";

startList();
startDrafts();
startViewer();
startPalette();
startTelephone();
for (const button of document.querySelectorAll<HTMLElement>("[data-print]")) button.addEventListener("click", () => window.print());
