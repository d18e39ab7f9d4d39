/** What calls to AWS fail of, in our words: which call it was, what was said, and what helps against it. */
import { ProxytuneError } from '../core/errors.ts';

/** Where a call goes. */
export type Cloud = 'account' | 'this machine';

interface Call {
  /** As `S3 PutObject`. */
  readonly what: string;
  readonly cloud: Cloud;
}

/** The call that an error came of; errors of the SDK do not say. */
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

/** Has every error of a client's calls remembered with its call, so that `callError` can tell of it. */
export function noteCalls(client: object, cloud: Cloud): void {
  (client as Client).middlewareStack.add(
    (next, { clientName = '', commandName = '' }) =>
      async (args) => {
        try {
          return await next(args);
        } catch (error) {
          const what = `${clientName.replace(/Client$/, '')} ${commandName.replace(/Command$/, '')}`;
          if (typeof error === 'object' && error !== null) calls.set(error, { what, cloud });
          throw error;
        }
      },
    { step: 'initialize', priority: 'high', name: 'noteCalls', override: true },
  );
}

/** What helps against errors of an account, by their name; the first that fits. */
const REMEDIES: readonly (readonly [RegExp, string])[] = [
  [/Skewed|RequestExpired/, 'set the clock of this machine, then call this again'],
  [
    /Expired|InvalidClientTokenId|UnrecognizedClient|InvalidAccessKeyId|Signature|InvalidToken|Credential|AuthFailure|MissingAuthentication/,
    'sign in to AWS again, in the account of the stack, then call this again',
  ],
  [
    /AccessDenied|NotAuthorized|Unauthorized|Forbidden|^403$/,
    'have this call allowed to you on the resources of the stack, then call this again',
  ],
  [/Redirect|AuthorizationHeaderMalformed|^301$/, 'set AWS_REGION to the region of the stack'],
  [
    /NoSuch|NotFound|DoesNotExist|^404$/,
    'look whether the stack is deployed whole and still has what the message names, then call this again',
  ],
];
const LATER = 'call this again in a few minutes; what was done already stays';

/** What the SDK throws; it notes its tries in `$metadata`, also when no answer came at all. */
interface SdkError extends Error {
  readonly $metadata?: { readonly httpStatusCode?: number };
}

/** An error of an AWS call as one of the house. @returns undefined for an error of something else */
export function callError(error: SdkError): ProxytuneError | undefined {
  const call = calls.get(error);
  if (call === undefined && error.$metadata === undefined) return undefined;
  const { name, message, $metadata } = error;
  const answered = $metadata?.httpStatusCode !== undefined;
  const given = [call?.what, name, message].filter(Boolean).join(': ');
  if (call?.cloud === 'account') {
    return new ProxytuneError('AccountFailed', {
      what: answered ? 'AWS refused a call' : 'A call to AWS came to no answer',
      given,
      remedy: REMEDIES.find(([pattern]) => pattern.test(name))?.[1] ?? LATER,
      cause: error,
    });
  }
  return new ProxytuneError('LocalCloudFailed', {
    what: answered
      ? 'A service of the one-machine cloud refused a call'
      : 'A service of the one-machine cloud has ended while it was needed',
    given,
    remedy: 'read emulator/emulator.log and cloud.log in the data folder, then call this again',
    cause: error,
  });
}
