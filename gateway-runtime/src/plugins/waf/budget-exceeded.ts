/** Thrown when a request has used up its time. */
export class BudgetExceeded extends Error {}
