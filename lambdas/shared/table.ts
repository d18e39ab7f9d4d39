/** The table as lambdas reach it; apart from the other parts, which some lambdas use without a table. */
import { documents, type TableContext } from '../../lib/aws/table.ts';
import { setting } from './settings.ts';

export const tableContext = (): TableContext => ({ documents: documents(), table: setting('TABLE') });
