-- What each of a shop's merchants may do there; an agent's row does not read it.
alter table account_shop add column duty text not null default 'owner'
  check (duty in ('owner', 'operator', 'lead', 'finance', 'reader'));
