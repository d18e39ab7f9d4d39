/** Errors of AWS calls as errors of Proxytune: the call that failed, the service's message, and a remedy. */
import { ProxytuneError } from '../core/errors.ts';

/** Destination of a call. */
export type Cloud = 'account' | 'this machine';

interface Call {
  /** As `S3 PutObject`. */
  readonly name: string;
  readonly cloud: Cloud;
}

/** The call that an error came from; errors of the SDK do not name it. */
const calls = new WeakMap<object, Call>();

type Next = (args: never) => Promise<unknown>;
interface Client {
  readonly middlewareStack: {
    add(
      middleware: (next: Next, context: { clientName?: string; commandName?: string }) => Next,
      options: { step: 'initialize'; priority: 'high'; name: string; override: boolean },
    ): void;
  };
}

/** Remembers the call of every error that a client throws, so that `callError` can name it. */
export function rememberCalls(client: object, cloud: Cloud): void {
  (client as Client).middlewareStack.add(
    (next, { clientName = '', commandName = '' }) =>
      async (args) => {
        try {
          return await next(args);
        } catch (error) {
          const name = `${clientName.replace(/Client$/, '')} ${commandName.replace(/Command$/, '')}`;
          if (typeof error === 'object' && error !== null) calls.set(error, { name, cloud });
          throw error;
        }
      },
    { step: 'initialize', priority: 'high', name: 'rememberCalls', override: true },
  );
}

/** Remedies for errors of an account by their name; the first match counts. */
const REMEDIES: readonly (readonly [RegExp, string])[] = [
  [/Skewed|RequestExpired/, 'set the clock of this machine, then retry'],
  [
    /Expired|InvalidClientTokenId|UnrecognizedClient|InvalidAccessKeyId|Signature|InvalidToken|Credential|AuthFailure|MissingAuthentication/,
    'sign in to AWS again, in the account of the stack, then retry',
  ],
  [
    /AccessDenied|NotAuthorized|Unauthorized|Forbidden|^403$/,
    'ask for permission to make this call on the resources of the stack, then retry',
  ],
  [/Redirect|AuthorizationHeaderMalformed|^301$/, 'set AWS_REGION to the region of the stack'],
  [
    /NoSuch|NotFound|DoesNotExist|^404$/,
    'check that the stack is fully deployed and still has what the message names, then retry',
  ],
];
const LATER = 'retry in a few minutes; finished work is kept';

/** An error of the SDK, which counts its attempts in `$metadata`, even when no answer came at all. */
interface SdkError extends Error {
  readonly $metadata?: { readonly httpStatusCode?: number };
}

/** An error of an AWS call as an error of Proxytune. @returns undefined for any other error */
export function callError(error: SdkError): ProxytuneError | undefined {
  const call = calls.get(error);
  if (call === undefined && error.$metadata === undefined) return undefined;
  const { name, message, $metadata } = error;
  const answered = $metadata?.httpStatusCode !== undefined;
  const given = [call?.name, name, message].filter(Boolean).join(': ');
  if (call?.cloud === 'account') {
    return new ProxytuneError('AccountFailed', {
      what: answered ? 'AWS refused a call' : 'A call to AWS got no answer',
      given,
      remedy: REMEDIES.find(([pattern]) => pattern.test(name))?.[1] ?? LATER,
      cause: error,
    });
  }
  return new ProxytuneError('LocalCloudFailed', {
    what: answered
      ? 'A service of the local cloud refused a call'
      : 'A service of the local cloud ended while it was in use',
    given,
    remedy: 'read emulator/emulator.log and cloud.log in the data folder, then retry',
    cause: error,
  });
}
