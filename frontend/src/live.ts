// Parts of a page that refresh themselves or answer a filter at once (htmx), under a strict content security policy.
import htmx from "htmx.org";

export function startLive(): void {
  htmx.config.allowEval = false;
  htmx.config.includeIndicatorStyles = false;
  htmx.config.selfRequestsOnly = true;
  htmx.config.historyCacheSize = 0;
  htmx.config.scrollBehavior = "auto";
  document.body.addEventListener("htmx:configRequest", (event) => {
    const token = document.querySelector<HTMLMetaElement>("meta[name=csrf-token]")?.content;
    if (token) (event as CustomEvent<{ headers: Record<string, string> }>).detail.headers["X-CSRFToken"] = token;
  });
  // Signed out meanwhile, or refused: show the full page that says so instead of nothing.
  document.body.addEventListener("htmx:responseError", (event) => {
    const { xhr } = (event as CustomEvent<{ xhr: XMLHttpRequest }>).detail;
    if (xhr.status === 401 || xhr.status === 403) window.location.reload();
  });
}

/** Run `work` on the page now and on every part that is loaded into it later. */
export function onContent(work: (root: ParentNode) => void): void {
  work(document);
  document.body.addEventListener("htmx:load", (event) => {
    if (event.target instanceof HTMLElement && event.target !== document.body) work(event.target);
  });
}
