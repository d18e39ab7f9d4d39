import { ApiError } from './errors.ts';

/** Where the service pretends to be. */
export interface Place {
  readonly partition: string;
  readonly region: string;
  readonly account: string;
}

/** Characters the API reference forbids in names: space, brackets, wildcards, specials and control characters. */
const FORBIDDEN = /[\s<>{}[\]?*"#%\\^|~`$&,;:/\p{Cc}\p{Cs}]/u;

/**
 * Checks a state machine's or an execution's name.
 * @throws ApiError InvalidName
 */
export function checkName(name: unknown, what: string): string {
  if (typeof name !== 'string' || name.length < 1 || name.length > 80) {
    throw new ApiError('InvalidName', `${what} name must be 1 to 80 characters, got ${JSON.stringify(name)}`);
  }
  const bad = FORBIDDEN.exec(name);
  if (bad) {
    throw new ApiError(
      'InvalidName',
      `${what} name ${JSON.stringify(name)} holds ${JSON.stringify(bad[0])}, which is not allowed`,
    );
  }
  return name;
}

/** The ARN of a state machine. */
export function machineArn(place: Place, name: string): string {
  return `arn:${place.partition}:states:${place.region}:${place.account}:stateMachine:${name}`;
}

/** The ARN of an execution of the machine with the given ARN. */
export function executionArn(machine: string, name: string): string {
  return `${machine.replace(':stateMachine:', ':execution:')}:${name}`;
}

/**
 * Checks that an ARN names something of the given kind; whether that thing exists is the caller's question.
 * @throws ApiError InvalidArn
 */
export function checkArn(arn: unknown, kind: 'stateMachine' | 'execution'): string {
  const tail = kind === 'execution' ? '[^:/]+:[^:/]+' : '[^:/]+';
  const pattern = new RegExp(`^arn:aws[a-z-]*:states:[a-z0-9-]+:\\d{12}:${kind}:${tail}$`);
  if (typeof arn !== 'string' || arn.length > 256 || !pattern.test(arn)) {
    throw new ApiError('InvalidArn', `Invalid Arn: ${JSON.stringify(arn)} is not the ARN of a ${kind}`);
  }
  return arn;
}
