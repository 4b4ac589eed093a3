// What a Go programmer would write by hand: aws-sdk-go-v2, goroutines, klauspost's gzip, delete last.
//
// Receivers ask for ten messages each, workers fetch, inflate and count their objects and write each result beside its
// name and rename it, and deleters delete what is stored, ten at once. No heartbeat, no dead letters, no limit on size.
//
// Usage: go_loop COUNT DIRECTORY, with SQS_QUEUE_URL and AWS_* in the environment. It ends after COUNT deletes.
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"github.com/klauspost/compress/gzip"
)

const (
	receivers = 4
	workers   = 32
	deleters  = 4
	batch     = 10
	patience  = 100 * time.Millisecond // how long a delete may wait for nine others
)

type notification struct {
	Records []struct {
		S3 struct {
			Bucket struct{ Name string }
			Object struct{ Key string }
		}
	}
}

type result struct {
	LineCount int    `json:"line_count"`
	ByteSize  int    `json:"byte_size"`
	Bucket    string `json:"bucket"`
	Key       string `json:"key"`
}

type loop struct {
	sqs      *sqs.Client
	s3       *s3.Client
	queue    string
	output   string
	count    int64
	deleted  atomic.Int64
	received chan types.Message
	stored   chan *string
}

func main() {
	ctx, end := context.WithCancel(context.Background())
	count, err := strconv.ParseInt(os.Args[1], 10, 64)
	check(err)
	check(os.MkdirAll(os.Args[2], 0o755))
	client := awshttp.NewBuildableClient().WithTransportOptions(func(transport *http.Transport) {
		transport.MaxIdleConnsPerHost = receivers + workers + deleters // its default of 10 would close most of them
	})
	settings, err := config.LoadDefaultConfig(ctx, config.WithHTTPClient(client))
	check(err)
	l := &loop{
		sqs: sqs.NewFromConfig(settings),
		s3: s3.NewFromConfig(settings, func(options *s3.Options) {
			options.UsePathStyle = true
			options.DisableLogOutputChecksumValidationSkipped = true // or it logs a line for each object
		}),
		queue: os.Getenv("SQS_QUEUE_URL"), output: os.Args[2], count: count,
		received: make(chan types.Message, workers), stored: make(chan *string, workers),
	}
	var group sync.WaitGroup
	for range receivers {
		group.Go(func() { l.receive(ctx) })
	}
	for range workers {
		group.Go(func() { l.work(ctx) })
	}
	for range deleters {
		group.Go(func() { l.delete(ctx, end) })
	}
	group.Wait()
}

func (l *loop) receive(ctx context.Context) {
	for ctx.Err() == nil {
		answer, err := l.sqs.ReceiveMessage(ctx, &sqs.ReceiveMessageInput{
			QueueUrl: &l.queue, MaxNumberOfMessages: batch, WaitTimeSeconds: 1,
		})
		if ctx.Err() != nil {
			return
		}
		check(err)
		for _, message := range answer.Messages {
			l.received <- message
		}
	}
}

func (l *loop) work(ctx context.Context) {
	reader, buffer := new(gzip.Reader), make([]byte, 64*1024)
	for {
		select {
		case <-ctx.Done():
			return
		case message := <-l.received:
			var told notification
			check(json.Unmarshal([]byte(*message.Body), &told))
			for _, record := range told.Records {
				key, err := url.QueryUnescape(record.S3.Object.Key)
				check(err)
				l.process(ctx, record.S3.Bucket.Name, key, reader, buffer)
			}
			l.stored <- message.ReceiptHandle
		}
	}
}

func (l *loop) process(ctx context.Context, bucket, key string, reader *gzip.Reader, buffer []byte) {
	object, err := l.s3.GetObject(ctx, &s3.GetObjectInput{Bucket: &bucket, Key: &key})
	check(err)
	defer object.Body.Close()
	check(reader.Reset(object.Body))
	counted := result{Bucket: bucket, Key: key}
	for err != io.EOF {
		var n int
		n, err = reader.Read(buffer)
		if err != io.EOF {
			check(err)
		}
		counted.LineCount += bytes.Count(buffer[:n], []byte{'\n'})
		counted.ByteSize += n
	}
	document, err := json.Marshal(counted)
	check(err)
	path := filepath.Join(l.output, strings.ReplaceAll(key, "/", "_")+".json")
	check(os.WriteFile(path+".tmp", document, 0o644))
	check(os.Rename(path+".tmp", path))
}

func (l *loop) delete(ctx context.Context, end context.CancelFunc) {
	var entries []types.DeleteMessageBatchRequestEntry
	due := time.NewTicker(patience)
	defer due.Stop()
	for {
		isDue := false
		select {
		case <-ctx.Done():
			return
		case handle := <-l.stored:
			id := strconv.Itoa(len(entries))
			entries = append(entries, types.DeleteMessageBatchRequestEntry{Id: &id, ReceiptHandle: handle})
		case <-due.C:
			isDue = true
		}
		if len(entries) == batch || (isDue && len(entries) > 0) {
			_, err := l.sqs.DeleteMessageBatch(ctx, &sqs.DeleteMessageBatchInput{QueueUrl: &l.queue, Entries: entries})
			check(err)
			if l.deleted.Add(int64(len(entries))) >= l.count {
				end()
			}
			entries = nil
		}
	}
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
