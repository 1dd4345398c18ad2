/** Labels of every container of ours. `managed` is what sweeps go by. */
export const labelNames = {
  managed: 'nanoclaw.managed',
  sandbox: 'nanoclaw.sandbox',
  uid: 'nanoclaw.uid',
} as const;

export const managedLabels: Readonly<Record<string, string>> = { [labelNames.managed]: 'true' };
