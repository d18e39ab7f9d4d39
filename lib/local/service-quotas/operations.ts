/** The operations of Service Quotas that read SageMaker's quotas. Values are changed by the one who starts the cloud. */
import type { Needs } from '../iam/authorizer.ts';
import { ServiceError } from '../sagemaker/errors.ts';
import type { Quota, Quotas } from './quotas.ts';

/** The prefix of X-Amz-Target. */
export const QUOTAS_TARGET = 'ServiceQuotasV20190624';

const SERVICE = 'sagemaker';
/** AWS's default and maximum. */
const LARGEST_PAGE = 100;

interface Account {
  readonly region: string;
  readonly accountId: string;
}

interface Request {
  readonly ServiceCode?: unknown;
  readonly QuotaCode?: unknown;
  readonly MaxResults?: unknown;
  readonly NextToken?: unknown;
}

type Response = Record<string, unknown>;

/** Members that each operation reads; any other is refused. */
const MEMBERS: Readonly<Record<string, readonly string[]>> = {
  GetServiceQuota: ['ServiceCode', 'QuotaCode'],
  GetAWSDefaultServiceQuota: ['ServiceCode', 'QuotaCode'],
  ListServiceQuotas: ['ServiceCode', 'QuotaCode', 'MaxResults', 'NextToken'],
  ListAWSDefaultServiceQuotas: ['ServiceCode', 'MaxResults', 'NextToken'],
};

/** The permissions of an operation: only the one that reads a quota of the account names a resource. */
export function quotaNeeds(
  { region, accountId }: Account,
  operation: string,
  { ServiceCode, QuotaCode }: Request,
): Needs {
  const resource =
    operation === 'GetServiceQuota'
      ? `arn:aws:servicequotas:${region}:${accountId}:${ServiceCode}/${QuotaCode}`
      : '*';
  return { calls: [{ action: `servicequotas:${operation}`, resource }] };
}

/**
 * Runs an operation.
 * @throws ServiceError as Service Quotas names its errors
 */
export function runQuotasOperation(
  quotas: Quotas,
  account: Account,
  operation: string,
  request: Request,
): Response {
  const members = Object.hasOwn(MEMBERS, operation) ? MEMBERS[operation] : undefined;
  if (members === undefined) {
    throw new ServiceError('UnknownOperationException', `Operation ${operation} is not supported here.`);
  }
  const ignored = Object.keys(request).find((name) => !members.includes(name));
  if (ignored !== undefined) throw illegal(`The local Service Quotas does not support ${ignored}.`);
  const service = text(request.ServiceCode, 'ServiceCode');
  if (service !== SERVICE) throw missing(`The local Service Quotas knows ${SERVICE}, not ${service}.`);
  const standard = operation.includes('AWSDefault');
  const describe = (quota: Quota) =>
    described(quota, standard ? quota.standard : quotas.valueOf(quota), account);
  if (operation.startsWith('Get')) {
    return { Quota: describe(byCode(quotas, text(request.QuotaCode, 'QuotaCode'))) };
  }
  const code = request.QuotaCode;
  const found = code === undefined ? quotas.all : quotas.all.filter((quota) => quota.code === code);
  const { page, NextToken } = pageOf(found, request);
  return { Quotas: page.map(describe), ...(NextToken !== undefined && { NextToken }) };
}

function described({ name, code }: Quota, value: number, { region, accountId }: Account): Response {
  return {
    ServiceCode: SERVICE,
    ServiceName: 'Amazon SageMaker',
    QuotaArn: `arn:aws:servicequotas:${region}:${accountId}:${SERVICE}/${code}`,
    QuotaCode: code,
    QuotaName: name,
    Value: value,
    Unit: 'None',
    Adjustable: true,
    GlobalQuota: false,
  };
}

function byCode(quotas: Quotas, code: string): Quota {
  const quota = quotas.all.find((entry) => entry.code === code);
  if (quota === undefined) throw missing(`SageMaker has no quota ${code}.`);
  return quota;
}

/** The token is the position of the next page in base64, as the API model allows no other characters. */
function pageOf(quotas: readonly Quota[], { MaxResults: size = LARGEST_PAGE, NextToken: token }: Request) {
  if (!Number.isInteger(size) || Number(size) < 1 || Number(size) > LARGEST_PAGE) {
    throw illegal(`MaxResults must be a whole number from 1 to ${LARGEST_PAGE}, got ${size}.`);
  }
  const start = token === undefined ? 0 : Number(Buffer.from(String(token), 'base64').toString('utf8'));
  if (!Number.isInteger(start) || start < 0 || (token !== undefined && start === 0)) {
    throw new ServiceError('InvalidPaginationTokenException', `Invalid NextToken ${token}.`);
  }
  const end = start + Number(size);
  const NextToken = end < quotas.length ? Buffer.from(String(end)).toString('base64') : undefined;
  return { page: quotas.slice(start, end), NextToken };
}

function text(value: unknown, name: string): string {
  if (typeof value === 'string' && value !== '') return value;
  throw illegal(`${name} must be a text, got ${JSON.stringify(value)}.`);
}

const illegal = (message: string) => new ServiceError('IllegalArgumentException', message);
const missing = (message: string) => new ServiceError('NoSuchResourceException', message);
