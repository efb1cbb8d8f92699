/** The tasks that a process of the bench offers, by name. */
export type Tasks = Record<string, (...input: never[]) => unknown>;

export interface Question {
  readonly id: number;
  readonly name: string;
  readonly input: readonly unknown[];
}

export type Answer = { readonly id: number } & ({ readonly value: unknown } | { readonly error: string });

/** Runs the tasks that the parent process asks for. The process ends with its parent. */
export function offer(tasks: Tasks): void {
  process.on('disconnect', () => process.exit());
  process.on('message', async ({ id, name, input }: Question) => {
    process.send?.(await answer(id, tasks[name] as (...input: readonly unknown[]) => unknown, input));
  });
}

async function answer(id: number, task: (...input: readonly unknown[]) => unknown, input: readonly unknown[]) {
  try {
    return { id, value: await task(...input) } satisfies Answer;
  } catch (error) {
    return { id, error: error instanceof Error ? error.message : String(error) } satisfies Answer;
  }
}
