/**
 * Asks the emulator, which has the roles and their policies, for our services next to it: who signed a request, what
 * they may do, and what a service may do in the name of a role.
 */
import { Agent, request as httpRequest } from 'node:http';

/** A permission that is asked for. */
export interface Call {
  /** For example `sagemaker:CreateTrainingJob`. */
  readonly action: string;
  /** ARN of the resource, or `*` where the action has none. */
  readonly resource: string;
  /** Condition keys of the request that depend on it. @default - none */
  readonly context?: Readonly<Record<string, string | readonly string[]>>;
}

/** A request as it arrived, with the signature to check. */
export interface SignedRequest {
  readonly method: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
}

/** A service that acts as a role. The role's trust policy decides if it may. */
export interface Assumption {
  /** For example `states.amazonaws.com`. */
  readonly service: string;
  readonly role: string;
  /** ARN of the resource for which the service acts: `aws:SourceArn`. */
  readonly source: string;
}

/** The permissions that a request needs. */
export interface Needs {
  /** All of them have to be allowed. */
  readonly calls: readonly Call[];
  /** The role that the request passes to a service. @default - none */
  readonly passes?: Assumption | undefined;
}

export interface Keys {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken: string;
}

/** A denial: who may not do what, in AWS's words. */
export class AccessDenied extends Error {
  /** `AccessDeniedException`, an error of the signature, or `RoleNotAssumable` if a role does not trust the service. */
  readonly code: string;

  constructor(code: string, message: string) {
    super(message);
    this.name = 'AccessDenied';
    this.code = code;
  }
}

export interface Authorizer {
  /** Checks the signature of a request, and that whoever signed it may do everything. @throws AccessDenied */
  request(request: SignedRequest, needs: Needs): Promise<void>;
  /** Checks what a service does in the name of a role, in a session of that name. @throws AccessDenied */
  asRole(role: string, session: string, calls: readonly Call[]): Promise<void>;
  /** Opens a session of a role; the same one for the same name. @throws AccessDenied */
  session(assumption: Assumption, session: string): Promise<Keys>;
}

interface Answer {
  readonly allowed?: boolean;
  readonly code?: string;
  readonly message?: string;
  readonly keys?: {
    readonly AccessKeyId: string;
    readonly SecretAccessKey: string;
    readonly SessionToken: string;
  };
}

/** The access key of the account itself, in every client of the local cloud that acts for a person. */
const ACCOUNT_KEY = 'local';

function keyOf({ headers }: SignedRequest): string | undefined {
  const authorization = Object.entries(headers).find(([name]) => name.toLowerCase() === 'authorization')?.[1];
  return /Credential=([^/,]+)\//.exec(authorization ?? '')?.[1];
}

/** A running emulator's judge. @param secret - the one that the emulator was started with */
export class EmulatorAuthorizer implements Authorizer {
  readonly #endpoint: string;
  readonly #secret: string;
  readonly #agent = new Agent({ keepAlive: true });

  constructor(endpoint: string, secret: string) {
    this.#endpoint = endpoint;
    this.#secret = secret;
  }

  async request(request: SignedRequest, { calls, passes }: Needs): Promise<void> {
    // No policy limits the account's own key. Not asking also lets the emulator itself make such a request and wait for
    // it, as it does while it updates a stack: it would not answer meanwhile.
    if (passes === undefined && keyOf(request) === ACCOUNT_KEY) return;
    const body = request.body.toString('base64');
    await this.#ask('authorize', { request: { ...request, body }, calls, passes });
  }

  async asRole(role: string, session: string, calls: readonly Call[]): Promise<void> {
    await this.#ask('authorize', { role, session, calls });
  }

  async session(assumption: Assumption, session: string): Promise<Keys> {
    const { keys } = await this.#ask('session', { ...assumption, session });
    if (keys === undefined) throw new Error('The emulator opened a session without keys.');
    const { AccessKeyId, SecretAccessKey, SessionToken } = keys;
    return { accessKeyId: AccessKeyId, secretAccessKey: SecretAccessKey, sessionToken: SessionToken };
  }

  close(): void {
    this.#agent.destroy();
  }

  async #ask(route: string, question: object): Promise<Answer> {
    const answer = await this.#post(route, JSON.stringify(question));
    if (answer.allowed === true) return answer;
    // Anything but a clear yes is a no.
    throw new AccessDenied(
      answer.code ?? 'AccessDeniedException',
      answer.message ?? 'The local cloud did not judge the call.',
    );
  }

  #post(route: string, body: string): Promise<Answer> {
    return new Promise((resolve, reject) => {
      const call = httpRequest(`${this.#endpoint}/_proxytune/${route}`, {
        method: 'POST',
        agent: this.#agent,
        headers: {
          'content-type': 'application/json',
          'content-length': Buffer.byteLength(body),
          'x-proxytune-secret': this.#secret,
        },
      });
      call.on('error', reject);
      call.on('response', (response) => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.on('error', reject);
        response.on('end', () => {
          const text = Buffer.concat(chunks).toString();
          if (response.statusCode === 200) resolve(JSON.parse(text) as Answer);
          else reject(new Error(`The emulator's judge failed with ${response.statusCode}: ${text}`));
        });
      });
      call.end(body);
    });
  }
}

/** The keys of tags in a request, as conditions see them. */
export function tagContext(
  tags: readonly { readonly key: string; readonly value: string }[],
): Record<string, string | string[]> {
  if (tags.length === 0) return {};
  return {
    ...Object.fromEntries(tags.map(({ key, value }) => [`aws:RequestTag/${key}`, value])),
    'aws:TagKeys': tags.map(({ key }) => key),
  };
}

/** The headers of a request by name, several lines of the same one joined as for a signature. */
export function headersOf(
  headers: Readonly<Record<string, string | string[] | undefined>>,
): Record<string, string> {
  return Object.fromEntries(
    Object.entries(headers).map(([name, value]) => [
      name,
      Array.isArray(value) ? value.join(',') : (value ?? ''),
    ]),
  );
}
