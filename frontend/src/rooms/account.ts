// One's own account: passkeys. The page brings what the server asks; the device signs; the form sends it back.
import "../styles/account.css";

type Options = { publicKey: Record<string, unknown> };
type Descriptor = { id: string; [name: string]: unknown };

function bytes(text: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(atob(text.replaceAll("-", "+").replaceAll("_", "/")), (letter) => letter.charCodeAt(0));
}

function text(buffer: ArrayBuffer | null): string | null {
  if (!buffer) return null;
  const letters = String.fromCharCode(...new Uint8Array(buffer));
  return btoa(letters).replaceAll("+", "-").replaceAll("/", "_").replace(/=+$/, "");
}

function descriptors(list: unknown): unknown {
  return Array.isArray(list) ? (list as Descriptor[]).map((each) => ({ ...each, id: bytes(each.id) })) : [];
}

async function created({ publicKey }: Options): Promise<unknown> {
  const user = publicKey.user as { id: string };
  const made = (await navigator.credentials.create({
    publicKey: {
      ...publicKey,
      challenge: bytes(publicKey.challenge as string),
      user: { ...user, id: bytes(user.id) },
      excludeCredentials: descriptors(publicKey.excludeCredentials),
    } as unknown as PublicKeyCredentialCreationOptions,
  })) as PublicKeyCredential;
  const response = made.response as AuthenticatorAttestationResponse;
  return whole(made, {
    clientDataJSON: text(response.clientDataJSON),
    attestationObject: text(response.attestationObject),
    transports: response.getTransports?.() ?? [],
  });
}

async function got({ publicKey }: Options): Promise<unknown> {
  const found = (await navigator.credentials.get({
    publicKey: {
      ...publicKey,
      challenge: bytes(publicKey.challenge as string),
      allowCredentials: descriptors(publicKey.allowCredentials),
    } as unknown as PublicKeyCredentialRequestOptions,
  })) as PublicKeyCredential;
  const response = found.response as AuthenticatorAssertionResponse;
  return whole(found, {
    clientDataJSON: text(response.clientDataJSON),
    authenticatorData: text(response.authenticatorData),
    signature: text(response.signature),
    userHandle: text(response.userHandle),
  });
}

function whole(credential: PublicKeyCredential, response: Record<string, unknown>): unknown {
  return {
    id: credential.id,
    rawId: text(credential.rawId),
    type: credential.type,
    authenticatorAttachment: credential.authenticatorAttachment,
    clientExtensionResults: credential.getClientExtensionResults(),
    response,
  };
}

// For signing in, the options are asked for when they are needed: a login page may stand open for hours.
async function options(form: HTMLFormElement): Promise<Options> {
  if (form.dataset.passkey !== "login") return JSON.parse(form.dataset.options ?? "{}") as Options;
  const answer = await fetch(form.action, { headers: { "X-Requested-With": "XMLHttpRequest" } });
  if (!answer.ok) throw new Error(`options: ${answer.status}`);
  return ((await answer.json()) as { request_options: Options }).request_options;
}

function say(form: HTMLFormElement, words: string): void {
  const problem = form.querySelector<HTMLElement>("[data-problem]");
  if (!problem) return;
  problem.textContent = words;
  problem.hidden = !words;
}

async function use(form: HTMLFormElement): Promise<void> {
  say(form, "");
  const asked = await options(form);
  const credential = await (form.dataset.passkey === "create" ? created(asked) : got(asked));
  form.querySelector<HTMLInputElement>("input[name=credential]")!.value = JSON.stringify(credential);
  form.submit();
}

const numbered = /^[\d.]+$|:/.test(location.hostname);
for (const form of document.querySelectorAll<HTMLFormElement>("form[data-passkey]")) {
  const begin = (event: Event): void => {
    event.preventDefault();
    if (numbered || !navigator.credentials) return say(form, form.dataset.host ?? "");
    use(form).catch(() => say(form, form.dataset.failed ?? ""));
  };
  form.addEventListener("submit", begin);
  form.querySelector("button")?.addEventListener("click", begin);
}
