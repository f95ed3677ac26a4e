#!/usr/bin/perl
# A virtio-balloon device with chunk transfer, behind the protocol over standard streams.
#
# Written from the requirements; the comments name those that a piece of code keeps.
use v5.32;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use JSON::PP ();
use Lines qw(serve refuse number bits bytes pages text hex_bits run_list);

use constant { INFLATE => 0, DEFLATE => 1, STATISTICS => 2, HOST_REQUEST => 3 };
use constant { HEADER_BYTES => 8, CHUNK_BYTES => 16, REQUEST_BYTES => 16, MOST_DATA_BYTES => 524288 };
use constant { CONT => 0, DONE => 1, GET_UNUSED_PAGES => 0 };

my (%bit, $offered, $accepted, $features_ok, $driver_ok);
my ($memory_pages, @holes, %discarded, %hinted);
my ($num_pages, $actual);
my (@available, @held, %in_flight, %returned);    # of buffers; the first two by queue
my (@wishes, $open_id, @statistics);

sub has { my $number = $bit{ $_[0] }; return defined $number && $accepted >> $number & 1 }

# Return a buffer with what was written to it; nothing for one that is only readable (BUF-03).
sub use_buffer {
    my ($events, $buffer, $written) = @_;
    push @$events,
        {
        event   => 'used',
        queue   => $buffer->{queue},
        buffer  => $buffer->{name},
        length  => length $written,
        written => unpack 'H*', $written
        };
    my $key = "$buffer->{queue} $buffer->{name}";
    $returned{$key} = delete $in_flight{$key};
    return;
}

# Runs that are empty or not wholly in memory are left alone (CHUNK-09, SAFE-09, SAFE-11).
sub mark {
    my ($set, $first, $count) = @_;
    return if !$count || $first >= $memory_pages || $count > $memory_pages - $first;
    return if grep { $first < $_->[0] + $_->[1] && $_->[0] < $first + $count } @holes;
    $set->{$_} = 1 for $first .. $first + $count - 1;
    return;
}

# The reserved bits mean nothing (CHUNK-06), and what is read ends with the buffer or with data_len (SAFE-07).
# Without a whole header, or with a broken length, nothing is done (SAFE-06, SAFE-08).
sub mark_chunks {
    my ($set, $message) = @_;
    return if length $message < HEADER_BYTES;
    my $data_len = unpack 'x4 V', $message;
    return if $data_len % CHUNK_BYTES || $data_len > MOST_DATA_BYTES;
    my $data = substr $message, HEADER_BYTES, $data_len;
    for my $at (0 .. length($data) / CHUNK_BYTES - 1) {
        my ($base, $size) = unpack 'Q< Q<', substr $data, $at * CHUNK_BYTES, CHUNK_BYTES;
        mark($set, $base >> 12, $size >> 12);
    }
    return;
}

# Pages are given back before the buffer is (INF-07); a partial entry of an array is dropped (PFN-09).
sub serve_inflate {
    my ($events, $buffer) = @_;
    if (has('CHUNK_TRANSFER')) { mark_chunks(\%discarded, $buffer->{readable}) }
    else                       { mark(\%discarded, $_, 1) for unpack 'V*', $buffer->{readable} }
    return use_buffer($events, $buffer, '');
}

# Memory comes back to a page when the guest touches it: there is nothing to do (DEF-07, DEF-08).
sub serve_deflate { my ($events, $buffer) = @_; return use_buffer($events, $buffer, '') }

# The buffer is held until fresh numbers are wanted (STATS-09).
sub serve_statistics {
    my ($events, $buffer) = @_;
    @statistics = unpack '(v Q<)*', substr $buffer->{readable}, 0, 10 * int(length($buffer->{readable}) / 10);
    use_buffer($events, shift @{ $held[STATISTICS] }, '') while @{ $held[STATISTICS] };
    push @{ $held[STATISTICS] }, $buffer;
    return;
}

# One request at a time (REQ-05), in a buffer that is big enough; reserved words are zero (REQ-04).
sub issue_request {
    my ($events) = @_;
    return if defined $open_id || !@wishes || !@{ $held[HOST_REQUEST] };
    $open_id = shift @wishes;
    %hinted = ();    # tracking of writes begins here, before the request is out (UNUSED-07)
    return use_buffer($events, shift @{ $held[HOST_REQUEST] }, pack 'v v3 Q<', GET_UNUSED_PAGES, 0, 0, 0, $open_id);
}

# A message counts while its request is open (REQ-19) and its length can be right (SAFE-06); its pages are hints and
# stay (UNUSED-01).
sub take_answer {
    my ($message) = @_;
    return if length $message < HEADER_BYTES || !defined $open_id;
    my ($cmd, $flag, $id, $data_len) = unpack 'C C v V', $message;
    return if $data_len % CHUNK_BYTES;
    return if $cmd != GET_UNUSED_PAGES || $id != ($open_id & 0xffff) || $flag > DONE;
    mark_chunks(\%hinted, $message);
    undef $open_id if $flag == DONE;    # REQ-20
    return;
}

sub serve_host_request {
    my ($events, $buffer) = @_;
    if ($buffer->{readable} eq '' && $buffer->{writable} >= REQUEST_BYTES) {
        push @{ $held[HOST_REQUEST] }, $buffer;
    }
    else {    # neither request buffer nor message: it comes back as it is (SAFE-03)
        take_answer($buffer->{readable}) if !$buffer->{writable};
        use_buffer($events, $buffer, '');
    }
    return issue_request($events);
}

my @serve_one = (\&serve_inflate, \&serve_deflate, \&serve_statistics, \&serve_host_request);

# Each queue by itself (CONC-06), and none before DRIVER_OK (QUEUE-10).
sub look_at {
    my ($events, $queue) = @_;
    while ($driver_ok && @{ $available[$queue] }) {
        $serve_one[$queue]->($events, shift @{ $available[$queue] });
    }
    return;
}

# Features, buffers and requests are forgotten (RESET-01 to RESET-03).
sub forget_driver {
    @available = map { [] } 0 .. HOST_REQUEST;
    @held      = map { [] } 0 .. HOST_REQUEST;
    %in_flight = %returned = @wishes = ();
    undef $open_id;
    ($accepted, $features_ok, $driver_ok, $actual) = (0, 0, 0, 0);
    return;
}

sub start {
    my ($command) = @_;
    refuse('refused', 'this program speaks version 2') if number($command, 'protocol', 2**32) != 2;
    $memory_pages = number($command, 'memory_pages', 2**32);
    @holes = defined $command->{memory_holes} ? pages($command, 'memory_holes') : ();
    refuse('refused', 'bits: expected an object') if ref $command->{bits} ne 'HASH';
    %bit = %{ $command->{bits} };
    $offered = 0;
    for my $feature (qw(MUST_TELL_HOST STATS_VQ DEFLATE_ON_OOM CHUNK_TRANSFER HOST_REQ_VQ VERSION_1)) {
        $offered |= 1 << $bit{$feature} if defined $bit{$feature};
    }
    forget_driver();
    %discarded = %hinted = ();
    $num_pages = 0;
    return {
        protocol     => 2,
        role         => 'device',
        name         => 'perl-example-device',
        version      => '1',
        offered      => hex_bits($offered),
        capabilities => [
            qw(synchronous raw-features reread memory-holes
                operator-target operator-unused-pages operator-statistics discards)
        ],
    };
}

# FEATURES_OK stays for every legal subset of what was offered, and for nothing else (NEG-06, NEG-07).
sub negotiate {
    my ($command) = @_;
    refuse('refused', 'a reset comes first') if $features_ok;
    $accepted    = bits($command, 'accepted');
    $features_ok = !($accepted & ~$offered)
        && (has('STATS_VQ') || !(has('CHUNK_TRANSFER') || has('HOST_REQ_VQ')));
    return { features_ok => $features_ok ? JSON::PP::true : JSON::PP::false };
}

sub queue_exists {
    my ($queue) = @_;
    return $queue == STATISTICS ? has('STATS_VQ') : $queue == HOST_REQUEST ? has('HOST_REQ_VQ') : $queue < STATISTICS;
}

# The readable part is one string here, so this device says that it cannot take buffers in descriptors.
sub available {
    my ($command, $events) = @_;
    refuse('not-implemented', 'segments: this device has no descriptors') if $command->{segments};
    my %buffer = (
        queue    => number($command, 'queue', 0xffff),
        name     => text($command, 'buffer'),
        readable => bytes($command, 'readable'),
        writable => number($command, 'writable', 2**32)
    );
    my $key = "$buffer{queue} $buffer{name}";
    refuse('refused', "queue: there is no virtqueue $buffer{queue}")
        if !$features_ok || !queue_exists($buffer{queue});
    refuse('refused', "buffer: $buffer{name} is in flight already") if $in_flight{$key};
    $in_flight{$key} = \%buffer;
    push @{ $available[$buffer{queue}] }, \%buffer;
    look_at($events, $buffer{queue}) if $command->{notify} // 1;
    return {};
}

sub configuration_read {
    my ($command) = @_;
    my ($offset, $length) = (number($command, 'offset', 2**32), number($command, 'length', 4096));
    my $space = pack 'V V', $num_pages, $actual;
    my $data = $offset < length $space ? substr $space, $offset, $length : '';
    return { data => unpack 'H*', $data . "\0" x ($length - length $data) };
}

# The driver's field is actual; what it writes elsewhere is ignored (CFG-09).
sub configuration_write {
    my ($command) = @_;
    my ($offset, $data) = (number($command, 'offset', 2**32), bytes($command, 'data'));
    my $field = pack 'V', $actual;
    for my $at (0 .. length($data) - 1) {
        my $to = $offset + $at - 4;
        substr $field, $to, 1, substr $data, $at, 1 if $to >= 0 && $to < 4;
    }
    $actual = unpack 'V', $field;
    return {};
}

sub operator {
    my ($command, $events) = @_;
    my ($action, $value) = (text($command, 'action'), bits($command, 'value'));
    if ($action eq 'target') {
        refuse('refused', 'value: num_pages has 32 bits') if $value > 0xffffffff;
        push @$events, { event => 'configuration-changed', data => unpack 'H*', pack 'V V', $value, $actual }
            if $value != $num_pages && $driver_ok;    # CFG-07, CFG-13
        $num_pages = $value;
    }
    elsif ($action eq 'unused-pages') {
        push @wishes, $value;
        look_at($events, HOST_REQUEST);
        issue_request($events);
    }
    elsif ($action eq 'statistics') {
        look_at($events, STATISTICS);
        use_buffer($events, shift @{ $held[STATISTICS] }, '') if @{ $held[STATISTICS] };
    }
    else {
        refuse('not-implemented', 'action: expected target, unused-pages or statistics');
    }
    return {};
}

sub discarded {
    my ($command) = @_;
    my @found;
    for my $run (pages($command, 'pages')) {
        my $end = $run->[0] + $run->[1] < $memory_pages ? $run->[0] + $run->[1] : $memory_pages;
        push @found, grep { delete $discarded{$_} } $run->[0] .. $end - 1;
    }
    return { discarded => [run_list(sort { $a <=> $b } @found)] };
}

sub reread {
    my ($command) = @_;
    my $key = number($command, 'queue', HOST_REQUEST) . ' ' . text($command, 'buffer');
    my $buffer = $in_flight{$key} // $returned{$key} // refuse('refused', 'there is no such buffer');
    return { readable => unpack 'H*', $buffer->{readable} };
}

# What was returned is kept until another command, for reread.
sub fresh { my ($verb) = @_; return sub { %returned = (); return $verb->(@_) } }

serve(
    'device',
    'start'     => \&start,
    'reset'     => sub { forget_driver(); return { offered => hex_bits($offered) } },
    'negotiate' => fresh(\&negotiate),
    'driver-ok' => fresh(
        sub {
            my (undef, $events) = @_;
            refuse('refused', 'the features are not negotiated') if !$features_ok;
            $driver_ok = 1;
            look_at($events, $_) for INFLATE .. HOST_REQUEST;    # QUEUE-04
            return {};
        }
    ),
    'available'           => fresh(\&available),
    'configuration-read'  => fresh(\&configuration_read),
    'configuration-write' => fresh(\&configuration_write),
    'operator'            => fresh(\&operator),
    'discarded'           => fresh(\&discarded),
    'reread'              => \&reread,
    'observe'             => fresh(sub { number($_[0], 'milliseconds', 2**32); return {} }),
    'stop'                => sub { return {} },
);
