// The scorecards: wide tables that scroll sideways say so.
import "../styles/scores.css";

for (const box of document.querySelectorAll<HTMLElement>(".table-scroll")) {
  const tell = (): void => {
    box.classList.toggle("has-more", box.scrollLeft + box.clientWidth < box.scrollWidth - 4);
  };
  box.addEventListener("scroll", tell, { passive: true });
  new ResizeObserver(tell).observe(box);
}
