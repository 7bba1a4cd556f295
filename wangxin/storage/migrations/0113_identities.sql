-- Who an issuer of single sign-on says that an account is. One account has one identity, one identity one account.
create table account_identity (
  issuer text not null,
  subject text not null,
  account_id uuid not null unique references account,
  linked_at timestamptz not null default clock_timestamp(),
  primary key (issuer, subject)
);
