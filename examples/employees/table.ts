import { setImmediate } from 'node:timers/promises';
import { describeTable } from '../../src/core/users/source/table-description.ts';
import type { Engine, OpenDatabase } from '../../src/ground/database/database.ts';
import { type Kysely, sql } from '../../src/ground/database/kysely.ts';
import type { Tables } from '../../src/ground/database/schema.ts';
import { Misconfiguration } from '../../src/ground/faults/misconfiguration.ts';
import type { Employee } from './people.ts';

type WithEmployees = Kysely<Tables & EmployeesTable>;

type EmployeesTable = { employees: Employee };

/** Rows in one insert. Each value is a parameter, and SQLite allows 32,766 of them. */
const batchSize = 2_000;

/** Longest duration of one step, in milliseconds. The index takes longest. */
const stepMilliseconds = 5 * 60 * 1000;

interface Making {
  /** Stops the work, and leaves no table behind. */
  readonly signal: AbortSignal;
  onProgress(rows: number): void;
}

/**
 * Makes and fills the table `employees` of MySQL's sample database, with an email address and a password for each employee.
 * If it fails or is interrupted, it leaves no table behind.
 * @throws {Misconfiguration} if the table exists
 */
export async function makeTable(opened: OpenDatabase, people: Iterable<Employee>, making: Making): Promise<void> {
  const { engine } = opened;
  if ((await describeTable(opened, 'employees')) !== undefined) {
    throw new Misconfiguration(
      'The table employees already exists, and was not changed. Choose another database in DATABASE_URL. Or, if the table is ' +
        'no longer needed: DROP TABLE employees;',
    );
  }
  const database = opened.database.withTables<EmployeesTable>();
  await opened.withTimeout(stepMilliseconds, async () => {
    if (engine === 'mysql') await fillOrDrop(database, people, making);
    else
      await database.transaction().execute(async (transaction) => {
        await create(transaction, engine);
        await fill(transaction, engine, people, making);
      });
  });
}

/** MySQL commits a new table at once, so a rollback would not remove it. */
async function fillOrDrop(database: WithEmployees, people: Iterable<Employee>, making: Making): Promise<void> {
  await create(database, 'mysql');
  try {
    await fill(database, 'mysql', people, making);
  } catch (error) {
    await database.schema
      .dropTable('employees')
      .execute()
      .catch(() => {
        throw new Misconfiguration(
          'The table employees is incomplete, and could not be removed. Remove it: DROP TABLE employees;',
        );
      });
    throw error;
  }
}

async function create(database: WithEmployees, engine: Engine): Promise<void> {
  const table = database.schema
    .createTable('employees')
    .addColumn('emp_no', 'integer', (column) => column.primaryKey())
    .addColumn('birth_date', 'date', (column) => column.notNull())
    .addColumn('first_name', 'varchar(14)', (column) => column.notNull())
    .addColumn('last_name', 'varchar(16)', (column) => column.notNull())
    .addColumn('gender', engine === 'mysql' ? sql`enum('M', 'F')` : 'char(1)', (column) =>
      engine === 'mysql' ? column.notNull() : column.notNull().check(sql`gender in ('M', 'F')`),
    )
    .addColumn('hire_date', 'date', (column) => column.notNull())
    .addColumn('email', 'varchar(255)', (column) => column.notNull())
    .addColumn('password', 'varchar(255)', (column) => column.notNull());
  await (engine === 'mysql' ? table.modifyEnd(sql`character set utf8mb4 collate utf8mb4_unicode_ci`) : table).execute();
}

async function fill(
  database: WithEmployees,
  engine: Engine,
  people: Iterable<Employee>,
  { signal, onProgress }: Making,
): Promise<void> {
  let rows = 0;
  for (const batch of inBatches(people)) {
    await database.insertInto('employees').values(batch).execute();
    rows += batch.length;
    onProgress(rows);
    // SQLite blocks the event loop, so signals arrive only here.
    await setImmediate();
    signal.throwIfAborted();
  }
  // The index comes after the rows, because building it once is faster than updating it for each row.
  await database.schema
    .createIndex('employees_email')
    .unique()
    .on('employees')
    .expression(emailWithoutCase(engine))
    .execute();
  signal.throwIfAborted();
}

/** Gives the expression of the unique index, which ignores case. In MySQL the column's collation does. */
function emailWithoutCase(engine: Engine) {
  switch (engine) {
    case 'sqlite':
      return sql`email collate nocase`;
    case 'postgres':
      return sql`lower(email)`;
    case 'mysql':
      return sql`email`;
  }
}

function* inBatches(people: Iterable<Employee>): Generator<Employee[]> {
  let batch: Employee[] = [];
  for (const person of people) {
    batch.push(person);
    if (batch.length < batchSize) continue;
    yield batch;
    batch = [];
  }
  if (batch.length > 0) yield batch;
}
