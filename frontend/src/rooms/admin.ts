// Administration: the diagram's moves show what they are, and pages print.
import "../styles/admin.css";

for (const button of document.querySelectorAll<HTMLButtonElement>("[data-print]")) {
  button.addEventListener("click", () => window.print());
}

// What is looked for stands in the middle of what scrolls sideways: the road of the case, and the room in use.
const picture = document.querySelector<HTMLElement>(".picture");
const first = picture?.querySelector<SVGRectElement>(".state rect");
if (picture && first) picture.scrollLeft = Math.max(0, first.x.baseVal.value + first.width.baseVal.value / 2 - picture.clientWidth / 2);
const rooms = document.querySelector<HTMLElement>(".admin-rooms");
const room = rooms?.querySelector<HTMLElement>("[aria-current]");
if (rooms && room) rooms.scrollLeft = room.offsetLeft - rooms.offsetLeft - 24;
