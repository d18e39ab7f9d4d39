/** Where the inspection reads from: objects of a bucket, or files of a folder. */

/** A file that may be a photo, or belong to one. */
export interface PhotoSource {
  /** Its path below the inspected folder or prefix, parts joined by `/`. */
  readonly file: string;
  readonly bytes: number;
  /** Returns the content, or why it cannot be read. Throws errors that a retry may resolve. */
  read(): Promise<Uint8Array | { readonly unreadable: string }>;
}
