declare module 'asl-validator' {
  /** Checks a definition against the language's JSON Schema, its paths and its transitions. */
  export default function validate(definition: unknown): {
    readonly isValid: boolean;
    readonly errorsText: (separator?: string) => string;
  };
}
