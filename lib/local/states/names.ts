import { ApiError } from './errors.ts';

/** Partition, region and account in the ARNs of the service. */
export interface AwsEnvironment {
  readonly partition: string;
  readonly region: string;
  readonly account: string;
}

/** Characters that the API reference forbids in names: space, brackets, wildcards, special and control characters. */
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
      `${what} name ${JSON.stringify(name)} contains ${JSON.stringify(bad[0])}, which is not allowed`,
    );
  }
  return name;
}

/** The ARN of a state machine. */
export function machineArn(environment: AwsEnvironment, name: string): string {
  return `arn:${environment.partition}:states:${environment.region}:${environment.account}:stateMachine:${name}`;
}

/** The ARN of an execution, from the ARN of its machine. */
export function executionArn(machine: string, name: string): string {
  return `${machine.replace(':stateMachine:', ':execution:')}:${name}`;
}

/**
 * Checks the format and the kind of an ARN, but not if the resource exists.
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
