import { defineCapability } from '../capability.ts';

/** In the demo: the mail that the server would have sent. */
export const mailbox = defineCapability({
  name: 'mailbox',
  features: ({ mailbox }) => ({ mailbox }),
  isOn: ({ mailbox }) => mailbox,
  async addRoutes(app, parts) {
    (await import('./mailbox.routes.ts')).addMailbox(app, (limit) => parts().outbox.listKept(limit));
  },
});
