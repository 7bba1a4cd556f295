-- Whether a video plays on every desk, and how far its conversion is where a converter is set.

alter table media
  add column codecs text not null default '',        -- as the file names them, with blanks between
  add column plays text not null default 'yes' check (plays in ('yes', 'no', 'waiting', 'converted')),
  add column progress smallint not null default 0,   -- percent of a conversion
  add column taken_at timestamptz;                   -- a worker converts it since
create index media_waiting on media (created_at) where plays = 'waiting';
