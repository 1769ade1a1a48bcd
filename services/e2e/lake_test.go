package e2e_test

import (
	"errors"
	"io"
	"os"
	"path/filepath"

	"github.com/parquet-go/parquet-go"
)

// parquetRows reads the files of a table as any reader may: each value as
// text, nulls left out. What can't be read yet is left out too.
func parquetRows(table string) []map[string]string {
	files, _ := filepath.Glob(filepath.Join(table, "date=*", "*.parquet")) // the pattern is right
	var rows []map[string]string
	for _, file := range files {
		more, err := readParquet(file)
		if err != nil {
			return nil
		}
		rows = append(rows, more...)
	}
	return rows
}

func readParquet(file string) ([]map[string]string, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	r := parquet.NewReader(f)
	columns := r.Schema().Columns()
	var rows []map[string]string
	for buffer := make([]parquet.Row, 64); ; {
		n, err := r.ReadRows(buffer)
		for _, cells := range buffer[:n] {
			row := map[string]string{}
			for _, v := range cells {
				if !v.IsNull() {
					row[columns[v.Column()][0]] = v.String()
				}
			}
			rows = append(rows, row)
		}
		if errors.Is(err, io.EOF) {
			return rows, r.Close()
		}
		if err != nil {
			return nil, err
		}
	}
}
