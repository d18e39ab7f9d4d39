/** One reason to reject a definition, in the format of ValidateStateMachineDefinition. */
export interface Diagnostic {
  readonly severity: 'ERROR';
  readonly code: string;
  readonly message: string;
  /** A JSON pointer into the definition, such as `/States/Plan/Next`, or `/` for all of it. */
  readonly location?: string;
}

/** The findings of one validation. All are collected, so that one deployment reports every mistake. */
export class Findings {
  readonly diagnostics: Diagnostic[] = [];
  /** Names of the states seen so far: they must be unique in the machine, even between branches. */
  readonly stateNames = new Set<string>();

  add(code: string, location: string, message: string): void {
    this.diagnostics.push({ severity: 'ERROR', code, message, location: location || '/' });
  }

  /** Adds a finding about a value of the wrong type, range or format. */
  invalid(location: string, message: string): void {
    this.add('SCHEMA_VALIDATION_FAILED', location, message);
  }
}
