/** Rules across the fields about curation: settings of a part that is not requested would have no effect. */

import { curationBy } from '../catalogue/curation-defaults.ts';
import { domainOf } from '../catalogue/domains.ts';
import { measuring, model } from '../catalogue/models.ts';
import { ADAPTIVE_FIELDS, THRESHOLD_FIELDS } from '../stages/curate.ts';

interface Asked {
  readonly teacher: string;
  readonly curation: boolean;
  readonly adaptiveProxies: boolean;
  readonly advanced: { readonly curate?: Readonly<Record<string, unknown>> | undefined };
}

/** Faults: settings without effect, and a check that the domain's encoders cannot make. */
export function curationFaults({ teacher, curation, adaptiveProxies, advanced }: Asked) {
  const given = Object.entries(advanced.curate ?? {}).filter(([, value]) => value !== undefined);
  return given.flatMap(([name]) => {
    const path = ['advanced', 'curate', name];
    if (THRESHOLD_FIELDS.includes(name) && !curation) return [{ path, message: 'needs curation to be true' }];
    if (ADAPTIVE_FIELDS.includes(name) && !adaptiveProxies)
      return [{ path, message: 'needs adaptiveProxies to be true' }];
    if (!curation && !adaptiveProxies)
      return [{ path, message: 'needs curation or adaptiveProxies to be true' }];
    const { domain } = model(teacher);
    if (name === 'safety' && curationBy(measuring(domain, 'clip').id).unsafe === null)
      return [
        {
          path,
          message: `cannot be checked in ${domainOf(domain).title}: its CLIP knows no words for it; leave it out`,
        },
      ];
    return [];
  });
}
