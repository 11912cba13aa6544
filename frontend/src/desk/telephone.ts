// A telephone stands in no address: what looks like one is neither sent while it is typed nor looked for by a GET request.
// It goes into a form of its own, which is sent when somebody means it, for each search leaves a trace.

const WRITTEN = /^\+?[0-9][0-9 ()-]{8,20}$/;
const DATED = /^(?:19|20)[0-9]{6}-[0-9]*$/; // the end of a case's number
const BEGUN = /^\+?[0-9][0-9 ()-]{6,}$/; // longer than the running number of a case

function digits(text: string): string {
  return text.replace(/[^0-9]/g, "").replace(/^(?:00)?86(?=1[0-9]{10}$|0[0-9]{9,11}$)/, "");
}

/** Whether words typed into a search box are a telephone and nothing else, as chengshu.cases.telephones.looks_like has it. */
export function isTelephone(text: string): boolean {
  const written = text.trim();
  const count = digits(written).length;
  return WRITTEN.test(written) && !DATED.test(written) && count >= 10 && count <= 15;
}

/** Whether words may be a telephone that is being typed. */
export function mayBecome(text: string): boolean {
  return BEGUN.test(text.trim()) && !DATED.test(text.trim());
}

/** On the list: a telephone typed into the search box is offered to the form for telephones, and kept out of the list's address. */
export function startTelephone(): void {
  const place = document.querySelector<HTMLDetailsElement>("[data-telephone]");
  const field = place?.querySelector<HTMLInputElement>("input[name=telephone]");
  document.body.addEventListener("htmx:beforeRequest", (event) => {
    const { elt, requestConfig } = (event as CustomEvent<{ elt: Element; requestConfig: { triggeringEvent?: Event } }>).detail;
    const box = elt.matches("form.filters") ? elt.querySelector<HTMLInputElement>("input[name=q]") : null;
    if (!box) return;
    const typing = requestConfig.triggeringEvent?.target === box;
    if (!isTelephone(box.value) && !(typing && mayBecome(box.value))) return;
    event.preventDefault();
    if (!place || !field || !isTelephone(box.value)) return;
    place.open = true;
    field.value = box.value.trim();
    if (!typing) place.querySelector<HTMLElement>("button")?.focus();
  });
}
