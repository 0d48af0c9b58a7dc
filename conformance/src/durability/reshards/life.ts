/** What all that calls one server has of it, from its start to its death. */
export interface Life {
  readonly endpoint: string;
  /** It may be dead: nobody calls any more, and calls may stay without an answer. */
  isOver: boolean;
}
