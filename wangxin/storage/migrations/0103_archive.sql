-- A shop may keep its conversations for a number of days; what is older lies in Parquet files, which these tables name.

alter table shop add column kept_days int check (kept_days between 100 and 3650);  -- null: for ever

create table archive_run (             -- how far a shop's archive is
  shop_id uuid primary key references shop,
  through date,                        -- lines of before this day are archived; null: not yet
  goal date,                           -- the day that a walk through the threads is going for
  after_thread uuid                    -- where that walk stands; null: no walk is going on
);
select wall_shop('archive_run');

create table archive_file (
  shop_id uuid not null references shop,
  day date not null,                   -- it holds lines of before this day that no file of before holds
  part int not null,
  entries int not null,
  bytes bigint not null,
  digest text not null,                -- SHA-256 of the file
  made_at timestamptz not null default clock_timestamp(),
  primary key (shop_id, day, part)
);
select wall_shop('archive_file');

create table archive_thread (          -- which lines of a thread a file holds, so that one shopper's can be found
  shop_id uuid not null,
  thread_id uuid not null,
  day date not null,
  part int not null,
  public_n int not null,
  internal_n int not null,
  primary key (shop_id, thread_id, day, part),
  foreign key (shop_id, day, part) references archive_file (shop_id, day, part)
);
create index archive_thread_by_file on archive_thread (shop_id, day, part);
select wall_shop('archive_thread');

-- What a push came to is read beside its line; these are kept when the line goes into the archive.
alter table push_delivery
  add column archived_seq bigint,
  add column archived_reply boolean;
