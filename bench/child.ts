/** The tasks that a process of the bench offers, by name. */
export type Tasks = Record<string, (...input: never[]) => unknown>;

export interface Question {
  readonly id: number;
  readonly name: string;
  readonly input: readonly unknown[];
}

export type Reply = { readonly id: number } & ({ readonly value: unknown } | { readonly error: string });

/** Runs the tasks that the parent process asks for. The process ends with its parent. */
export function offer(tasks: Tasks): void {
  process.on('disconnect', () => process.exit());
  process.on('message', async ({ id, name, input }: Question) => {
    // Another part of this process may offer it.
    const task = tasks[name] as ((...input: readonly unknown[]) => unknown) | undefined;
    if (task === undefined) return;
    const reply = await Promise.try(task, ...input).then(
      (value): Reply => ({ id, value }),
      (error: unknown): Reply => ({ id, error: error instanceof Error ? error.message : String(error) }),
    );
    process.send?.(reply);
  });
}
